package scanner

import (
	"context"
	"errors"
)

const attempts = 4

// Store keeps scans until the head office has fetched them.
type Store interface {
	Save(ctx context.Context, scan Scan) error
}

// Gateway takes the scans of all the scanners of a depot.
type Gateway struct {
	store Store
	depot string
}

// Accept checks a scan and saves it.
func (g *Gateway) Accept(ctx context.Context, scan Scan) error {
	if scan.Code == "" {
		return errors.New("scan without a code")
	}
	scan.Depot = g.depot
	return g.store.Save(ctx, scan)
}
