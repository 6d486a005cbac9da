"""`voxbus call show`, `voxbus reconcile`, `voxbus rebuild`: what is kept of calls, read, checked and made again."""
