// Package setup is what the programs in cmd have in common.
//
//   - settings.go, outside.go, check.go: settings from the environment, and what is wrong with them
//   - container.go: the store, the client of Temporal and the desk, opened together
//   - parts.go: the API's settings, and its families put together
//   - workers.go: the worker's settings, and its workers put together
//   - observe.go: log, metrics and health
//   - process.go: a process's beginning and end
package setup
