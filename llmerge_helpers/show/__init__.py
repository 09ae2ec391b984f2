"""What people see: a conflict or a merge as a card, many in a table or a browser, and every figure in one style.

In come rows, examples and tables; what comes out shows itself in a notebook, on GitHub and in a terminal. All text of
models and repositories is escaped, capped, and made visible down to control characters; a figure keeps its numbers
beside it as CSV.

>>> print(ConflictView({"ours": "a\\n", "base": "b\\n", "theirs": "", "path": "x.py"}).heading)
conflict · x.py · Python · 2 lines
"""

from llmerge_helpers.show import plots
from llmerge_helpers.show.browse import answered, browser, cards, table
from llmerge_helpers.show.card import ConflictView, TrainingView
from llmerge_helpers.show.whole_merge import MergeView

__all__ = ["ConflictView", "MergeView", "TrainingView", "answered", "browser", "cards", "plots", "table"]
