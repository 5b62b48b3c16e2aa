"""What every remediation is made of, and how the modules of `remediations` are found."""
