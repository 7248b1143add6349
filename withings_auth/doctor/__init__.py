"""The doctor: a checklist of this machine, with a verdict and a remedy for each check.

The report is fit for a public bug report: it holds no secret, and nothing that identifies this machine or its user.
"""
