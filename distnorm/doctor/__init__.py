"""Does this machine have what a run needs?"""
