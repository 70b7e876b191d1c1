// Package services keeps the tenants' processes, the calendars that they count working time by, and the catalogs that the itsm family shows them in. Its tables are services,
// service_versions, service_nodes, calendars, calendar_versions, service_catalogs and service_imports; it draws integer ids from counters.
//
// It promises that a published version never changes, that equal definitions are one version, and that nodes keep their integer ids for as long as the
// service has had them. Built-in processes are answered from flow and lie in no table.
//
// number > 0 in a condition is that of a partial index: a service that is being published for the first time has no number yet.
package services
