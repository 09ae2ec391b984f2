"""Git conflicts as text and as a type: parsed and rendered byte for byte, asked, and the answer cut out again.

In comes the text of a file with markers, or a row of a data set; out come hunks, a `Conflict`, the question that a
model is asked, and the parts of its reply. Nothing here knows of repositories, models or verdicts, and nothing is
loaded that takes time, so that everything else may stand on it.

>>> parts = parse("a\\n<<<<<<< HEAD\\nb\\n=======\\nc\\n>>>>>>> topic\\nd\\n")
>>> conflict = Conflict.of_hunk(parts[1], before=parts[0], after=parts[2], path="x.py")
>>> conflict.kind_of(conflict.cut("a\\nc\\nd\\n"))
'theirs'
"""

from llmerge_helpers.conflicts.asked import messages, question_of
from llmerge_helpers.conflicts.conflict import Conflict, Row
from llmerge_helpers.conflicts.earlier import Decided, so_far
from llmerge_helpers.conflicts.languages import language_of
from llmerge_helpers.conflicts.markers import Hunk, has_markers, make_hunk, parse, render, split_lines
from llmerge_helpers.conflicts.prompts import Form, Message, Reply, fences, render_answer, render_reply, split_reply

__all__ = [
    "Conflict", "Decided", "Form", "Hunk", "Message", "Reply", "Row", "fences", "has_markers", "language_of",
    "make_hunk", "messages", "parse", "question_of", "render", "render_answer", "render_reply", "so_far",
    "split_lines", "split_reply",
]  # fmt: skip
