package store

import (
	"context"
	"fmt"
	"time"
)

// Late loans are read once a night, and when somebody opens
// the list at a desk.

const overdueSQL = `SELECT l.id, l.reader, r.mail, r.street
FROM loans l JOIN readers r USING (reader_id)
WHERE l.due < $1
ORDER BY l.due, l.id`

// Overdue streams the loans that are late at that time.
// It stops at the first error of each.
func (s *Store) Overdue(ctx context.Context, at time.Time, each func(Late) error) error {
	rows, err := s.db.Query(ctx, overdueSQL, at)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var late Late
		if err := rows.Scan(&late.ID, &late.Reader, &late.Mail, &late.Street); err != nil {
			return fmt.Errorf("overdue: %w", err)
		}
		if err := each(late); err != nil {
			return err
		}
	}
	return rows.Err()
}

// Late is one row of the reminders.
type Late struct {
	ID     int64
	Reader string
	Mail   string
	Sent   time.Time
}
