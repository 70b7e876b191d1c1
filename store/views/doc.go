// Package views keeps lists that somebody wants to see again: views, a person's own and those that everybody of a tenant has. Its table is views.
//
// It promises that nobody changes or deletes what is another person's, and that a name stands for one view of the same owner.
package views
