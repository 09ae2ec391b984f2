package reservations

import (
	"sort"
	"time"
)

// Reservation is a reader's wish for a medium that is out.
type Reservation struct {
	Reader string
	At     time.Time
	// Priority is 0 for readers, 5 for staff.
	Priority int
	Lapses time.Time
	Branch string
	Notice string
}

// Order puts the next reader first.
func Order(queue []Reservation) {
	sort.SliceStable(queue, func(i, j int) bool {
		a, b := queue[i], queue[j]
		if a.Priority != b.Priority {
			return a.Priority > b.Priority
		}
		return a.At.Before(b.At)
	})
}

// Next is the reader to be told, nil if nobody waits.
func Next(queue []Reservation, now time.Time) *Reservation {
	for i := range queue {
		if queue[i].Priority >= 0 {
			return &queue[i]
		}
	}
	return nil
}
