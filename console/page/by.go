package page

// By is who is written down as having changed something: the person, or the app of whoever acts with its rights.
func (w Who) By() string {
	if w.Own {
		return w.Person
	}
	return w.App.Code
}
