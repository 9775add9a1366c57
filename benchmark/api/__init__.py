"""What `import uadbench` offers: the command line calls these functions, and they print nothing."""
