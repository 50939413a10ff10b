"""Text that somebody else wrote, made harmless for where it is written to. In: any text. Out: text that is
only read, never obeyed: `media` has one function for each medium, `tables` the same for columns of a frame.
"""
