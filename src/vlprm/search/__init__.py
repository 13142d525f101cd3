"""Search: a policy draws the next steps of a solution, a PRM scores them, a kind keeps some.

``state`` is one question's search, ``expand`` makes requests of it and puts the replies back,
``keep`` holds what the kinds of search differ in, ``loop`` is the one loop around them. Nothing
here sees a gold answer or holds a model.
"""
