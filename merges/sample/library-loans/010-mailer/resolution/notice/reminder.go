package notice

import (
	"context"
	"log"
	"time"
)

// Reminder tells a reader that a loan is due.
type Reminder struct {
	mailer Mailer
	texts  Texts
}

// Send writes one reminder and gives back whether it went out.
func (r *Reminder) Send(ctx context.Context, l Loan) bool {
	if l.Mail == "" || l.Muted {
		return false
	}
	text := r.texts.For(l.Language)
	body := text.Fill(l)

	// one message a loan, however many are due
	if err := r.mailer.SendContext(ctx, l.Mail, text.Subject+" "+l.Title, body); err != nil {
		log.Printf("reminder of %d: %v", l.ID, err)
		return false
	}
	return true
}

// Close waits for what is under way.
func (r *Reminder) Close() {
	ctx, stop := context.WithTimeout(context.Background(), 5*time.Second)
	defer stop()
	r.mailer.FlushContext(ctx)
}

// Languages that have texts.
// Readers choose one at the desk.
var Languages = []string{"da", "de", "en"}
