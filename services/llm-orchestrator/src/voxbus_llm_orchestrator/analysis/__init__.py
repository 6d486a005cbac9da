"""Turns `call.ended` into `analysis.made` and `analysis.completed`; never touches a call that is still going on."""
