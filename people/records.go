package people

import "time"

// PersonRecord is a person as a tenant's directory keeps it.
type PersonRecord struct {
	Person
	UID        string // what SCIM names it by; it stays when the id changes
	ExternalID string // what an identity provider names it by; may be empty
	Attributes string // JSON: what an identity provider says besides; may be empty
	Version    int64  // another one after every change of this record, and never the same again
	CreatedAt  time.Time
	UpdatedAt  time.Time
}

// GroupRecord is a group likewise. Lists give it without members.
type GroupRecord struct {
	Group
	UID        string
	ExternalID string
	Attributes string
	Version    int64
	CreatedAt  time.Time
	UpdatedAt  time.Time
}

// AbsenceRecord is an absence as it is kept.
type AbsenceRecord struct {
	Absence
	CreatedBy string // the app
	CreatedAt time.Time
}

// Kind is what a member of a group is.
type Kind string

const (
	Persons Kind = "person"
	Groups  Kind = "group"
)

// Key names a person or a group of a tenant, by one of its members.
type Key struct {
	ID  string // exactly as it is spelled
	UID string
}

// PersonFilter chooses among the persons of a tenant; what is empty does not choose.
type PersonFilter struct {
	Search     string // the beginning of id, name or e-mail address, whatever the case
	ID         string // the whole of it, whatever the case
	Email      string // likewise
	Name       string // likewise
	ExternalID string
	UID        string
	Manager    string // id of a person
	Active     *bool
}

// GroupFilter chooses among the groups of a tenant likewise.
type GroupFilter struct {
	Search     string // the beginning of id or name, whatever the case
	Name       string // the whole of it, or the whole id where there is no name, whatever the case
	ExternalID string
	UID        string
	Member     Member // the zero value does not choose
}

// AbsenceFilter chooses among absences likewise.
type AbsenceFilter struct {
	Person string
	Deputy string
	At     time.Time // those that hold then; the zero time does not choose
}

// ChangeKind is what happened to a person.
type ChangeKind string

const (
	Activated   ChangeKind = "activated"   // is asked again
	Deactivated ChangeKind = "deactivated" // is asked no more
	Removed     ChangeKind = "removed"     // is no longer known
	Renamed     ChangeKind = "renamed"     // has the id Other from now on
	Absent      ChangeKind = "absent"      // the absence Other was taken up, changed or ended
)

// Change is something that happened to a person, for whoever acts on it.
type Change struct {
	Seq    int64 // in the order of the tenant's transactions: nothing is ever put before one that was read
	Kind   ChangeKind
	Person string
	Other  string
	At     time.Time
	App    string // who asked for it
}

// Membership is what becomes of the members of a group that is changed.
type Membership struct {
	All         bool // the group has the members that it is given back with, and no others
	Add, Remove []Member
}
