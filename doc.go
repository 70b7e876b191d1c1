// Package signalbox is the root of a ticket orchestrator: systems open tickets over REST, every ticket is one long-running
// Temporal workflow, and whoever subscribed is told surely and in order. docs/architecture.md draws the house.
package signalbox
