// Package fines writes and settles fines.
package fines

import "time"

// Fine is what a reader owes for one late medium.
type Fine struct {
	ID     int64
	Reader string
	Cents  int
	Since  time.Time
	Paid   *time.Time
	LoanID int64
	Note   string
}

// Open is the part of the fine that is still to be paid.
func (f Fine) Open() int {
	if f.Paid != nil {
		return 0
	}
	return f.Cents
}

// Settle marks the fine as paid at the desk.
// Who took the money stands in the ledger.
func (f *Fine) Settle(at time.Time) {
	f.Paid = &at
}
