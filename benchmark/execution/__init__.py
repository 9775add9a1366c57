"""Which process does which task where: jobs, worker processes, SLURM, progress, merged runs."""
