// Package people says whom a tenant knows: persons, groups of them, who is absent and who stands in. A directory is a value here, and every question
// has an answer that depends on it and on the time that is asked about alone.
//
// An id is what callers spell, with its case: tickets name persons by it, letter by letter. Two ids of a tenant that differ in nothing but case are
// not both taken, because people would take the one for the other. Persons and groups do not share their ids.
//
// person.go has what may be kept, directory.go who is in a group and who is whose manager, absence.go who stands in, facts.go what a process asks of
// all this at once.
package people
