package setup

import (
	"context"
	"errors"

	"signalbox/people"
	"signalbox/store"
)

// Admins is who may do everything on the pages.
type Admins struct {
	AdminGroup string `split_words:"true" default:"signalbox-admins" desc:"group of the directory, or of an identity provider's claim, whose members are admins on the pages"`
}

// Check names the setting if it is at fault.
func (a Admins) Check() error {
	if a.AdminGroup == "" {
		return wrong("ADMIN_GROUP", "must name a group; one that nobody is in makes nobody an admin")
	}
	return nil
}

// Persons is what "migrate person" needs to know.
type Persons struct {
	Base
	Admins
}

// Check checks it.
func (s *Persons) Check() error { return errors.Join(s.Base.Check(), s.Admins.Check()) }

// Person is somebody who is to sign in with a password.
type Person struct {
	Tenant, ID string
	Name       string // empty: a person who is there keeps theirs
	Password   string
	MustChange bool // another one has to be chosen first
	Admin      bool
	Manager    string   // for whom the directory did not have; may be empty
	Groups     []string // likewise
}

// Key names the person.
func (p Person) Key() people.Key { return people.Key{ID: p.ID} }

// EnsurePerson makes sure that the directory has a person, in the groups that are named and with the password. app is who is written down as asking for it.
func EnsurePerson(ctx context.Context, s *store.Store, app, adminGroup string, p Person) error {
	hash, err := s.HashPassword(ctx, p.ID, p.Password)
	if err != nil {
		return err
	}
	_, err = s.ChangePerson(ctx, p.Tenant, app, p.Key(), func(had people.PersonRecord, known bool) (people.PersonRecord, error) {
		if !known {
			had.Person = people.Person{ID: p.ID, Active: true, Manager: p.Manager}
		}
		if p.Name != "" {
			had.Name = p.Name
		}
		return had, nil
	})
	if err != nil {
		return err
	}
	groups := p.Groups
	if p.Admin {
		groups = append(groups[:len(groups):len(groups)], adminGroup)
	}
	for _, id := range groups {
		member := people.Membership{Add: []people.Member{{Person: p.ID}}}
		_, err := s.ChangeGroup(ctx, p.Tenant, app, people.Key{ID: id}, member, func(had people.GroupRecord, _ bool) (people.GroupRecord, error) {
			had.ID = id
			return had, nil
		})
		if err != nil {
			return err
		}
	}
	return s.SetPassword(ctx, p.Tenant, app, p.Key(), hash, p.MustChange)
}
