"""What a report draws: tables with intervals, ranks and states made of a run's rows, kept in `summaries/`."""
