package desk

// Return takes a medium back at the desk.
func (d *Desk) Return(medium Medium) error {
	loan, err := d.store.OpenLoan(medium.ID)
	if err != nil {
		return err
	}
	if err := d.store.Close(loan); err != nil {
		return err
	}
	next := d.queue.Next(medium.ID)
	switch {
	case next == nil:
		d.shelve(medium)
	case next.Branch == d.branch:
		d.shelf.Put(medium, next.Reader, d.clock().AddDate(0, 0, 7))
	default:
		d.courier.Send(medium, next.Branch)
	}
	return nil
}

// shelve prints the place in the stacks.
func (d *Desk) shelve(medium Medium) {
	d.printer.Print(medium.Signature)
}
