"""The rides of one rider, the newest first."""

PAGE = 25

COLUMNS = "id, bike, started, ended, cents"


def rides(cursor, rider, before):
    """One page of rides, those that began before a time."""
    text = f"SELECT {COLUMNS} FROM ride WHERE rider = %s"
    values = [rider]
    if before:
        text += " AND started < %s"
        values.append(before)
    cursor.execute(text + " ORDER BY started DESC", values)
    return cursor.fetchall()
