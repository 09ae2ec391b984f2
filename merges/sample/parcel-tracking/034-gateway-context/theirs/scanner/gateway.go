package scanner

import (
	"errors"
	"time"
)

const attempts = 4

// Store keeps scans until the head office has fetched them.
type Store interface {
	Save(scan Scan) error
}

// Gateway takes the scans of all the scanners of a depot.
type Gateway struct {
	store Store
	depot string
}

// Accept checks a scan and saves it.
func (g *Gateway) Accept(scan Scan) error {
	if scan.Code == "" {
		return errors.New("scan without a code")
	}
	scan.Depot = g.depot
	var err error
	for attempt := 0; attempt < attempts; attempt++ {
		if err = g.store.Save(scan); !errors.Is(err, ErrBusy) {
			return err
		}
		time.Sleep(time.Duration(attempt+1) * 50 * time.Millisecond)
	}
	return err
}
