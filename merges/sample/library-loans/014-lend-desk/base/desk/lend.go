package desk

import (
	"errors"
	"time"
)

// ErrBlocked is returned for readers with open fines.
var ErrBlocked = errors.New("reader is blocked")

// Lend hands a medium to a reader and says when it is due.
// The reader has been greeted already.
func (d *Desk) Lend(reader Reader, medium Medium) (time.Time, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	now := d.clock()
	if medium.Out() {
		return now, ErrOut
	}
	if reader.OpenCents > 0 {
		return now, ErrBlocked
	}
	due := now.AddDate(0, 0, 7*medium.Weeks())
	due = d.calendar.NextOpen(due)
	d.book(reader, medium, due)

	d.printer.Print(reader.Name, due); return due, nil
}
