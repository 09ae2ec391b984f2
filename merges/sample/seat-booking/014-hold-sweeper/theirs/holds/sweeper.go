package holds

import (
	"context"
	"log"
	"time"
)

const sweepEvery = 30 * time.Second

// Releaser frees the seats of all the holds that ended before a point in time.
type Releaser interface {
	ReleaseBefore(ctx context.Context, end time.Time) (int, error)
}

// Sweep frees seats until it is told to stop.
func Sweep(ctx context.Context, holds Releaser) {
	ticker := time.NewTicker(sweepEvery)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case now := <-ticker.C:
			sweepOnce(ctx, holds, now)
		}
	}
}

func sweepOnce(ctx context.Context, holds Releaser, now time.Time) {
	count, err := holds.ReleaseBefore(ctx, now)
	if err != nil {
		log.Printf("sweep: %v", err)
		return
	}
	if count > 0 {
		log.Printf("sweep: %d seats are free again", count)
	}
}
