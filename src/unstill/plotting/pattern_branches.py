"""stub"""


def plot_pattern_branch(found):
    return None
