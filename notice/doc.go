// Package notice is the rule book of who is told what: subscriptions, the exact bodies they receive, how often a delivery is tried
// and what giving up means. It is pure: no clock, no I/O.
//
// The way through the files: notice.go says what a subscription, a delivery and an attempt are; render.go, itsm.go and stream.go say who is
// told of an event and in which bytes; profile.go, grade.go and retry.go what an answer counts for and when the next try is; alert.go what is
// said of deliveries that fail, timeline.go where; filter.go and selector.go which events a subscription wants
// and how those are found; telling.go which people are told of an event, letter.go and chat.go in which words and bytes; address.go and headers.go what a caller may have called and sent; sign.go signs.
package notice
