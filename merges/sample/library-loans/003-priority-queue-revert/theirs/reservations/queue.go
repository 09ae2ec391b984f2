package reservations

import (
	"sort"
	"time"
)

// Reservation is a reader's wish for a medium that is out.
type Reservation struct {
	Reader string
	At     time.Time
	Lapses time.Time
	Branch string
	Notice string
}

// Order puts the next reader first.
func Order(queue []Reservation) {
	sort.SliceStable(queue, func(i, j int) bool {
		return queue[i].At.Before(queue[j].At)
	})
}

// Next is the reader to be told, nil if nobody waits.
func Next(queue []Reservation, now time.Time) *Reservation {
	for i := range queue {
		if queue[i].Notice == "" {
			return &queue[i]
		}
	}
	return nil
}
