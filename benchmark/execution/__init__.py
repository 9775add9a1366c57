"""Who does which task where: jobs, worker processes, SLURM, progress, united runs."""
