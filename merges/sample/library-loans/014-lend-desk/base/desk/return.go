package desk

// Return takes a medium back at the desk.
func (d *Desk) Return(medium Medium) error {
	loan, err := d.store.OpenLoan(medium.ID)
	if err != nil {
		return err
	}
	d.store.Close(loan)
	next := d.queue.Next(medium.ID)
	switch {
	case next == nil:
		d.shelve(medium)
	default: d.shelf.Put(medium, next.Reader)
	}
	return nil
}

// shelve prints the place in the stacks.
func (d *Desk) shelve(medium Medium) {
	d.printer.Print(medium.Signature)
}
