"""Where results go beside the files of a run. The files are the truth; none of this can harm it."""
