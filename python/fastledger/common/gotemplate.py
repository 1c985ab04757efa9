def fill(t, v):
    return t
