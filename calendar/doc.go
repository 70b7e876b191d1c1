// Package calendar says what working time is: the hours of a week in a time zone, without holidays, and with the days that are worked by exception.
//
// It is pure. A calendar carries the offsets of its zone from UTC, as they were known when it was published, so that the same question has the same answer on every
// machine and for ever: see docs/decisions/0031.
package calendar
