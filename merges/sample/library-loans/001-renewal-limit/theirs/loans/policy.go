// Package loans decides who may borrow what, and for how long.
package loans

import "time"

// Weeks is how long a medium may stay out at first.
const Weeks = 4

// Grace is the time after the due date in which no fine is written.
const Grace = 36 * time.Hour

// MaxRenewals says how often a loan may be prolonged.
const MaxRenewals Times = 2

// Times counts renewals and reminders.
type Times uint8

// Renewable tells whether the reader may keep the medium longer.
func (l Loan) Renewable(now time.Time) bool {
	if l.Medium.Reserved > 0 || l.Medium.Kind == Reference {
		return false
	}
	return l.Renewals < MaxRenewals
}

// DueSoon is true on the last three days of a loan.
func (l Loan) DueSoon(now time.Time) bool {
	rest := l.Due.Sub(now)
	return rest < 3*24*time.Hour
}
