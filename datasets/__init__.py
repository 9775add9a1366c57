"""Brain MRI cohorts on one common grid."""
