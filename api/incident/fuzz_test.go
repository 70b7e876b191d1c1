package incident_test

import (
	"log/slog"
	"testing"
	"time"

	"signalbox/api"
	"signalbox/api/apitest"
	"signalbox/api/incident"
)

// FuzzCalls: whatever is sent to any call of this family, it is answered or refused.
func FuzzCalls(f *testing.F) {
	const opening = `{"region":["r"],"enterprise_project":["p"],"current_cloud_service":["s"],"incident_level":"level_30","is_service_interrupt":"false",
		"incident_type":"inc_type_p_change_issues","incident_title":"t","incident_description":"d","incident_source":"incident_source_manual",
		"creator":"c","incident_assignee":["a"],"assignee_scene":"x","assignee_role":"y","start_time":1700000000000}`
	apitest.Fuzz(f, func(t testing.TB) apitest.Stand {
		back := apitest.NewBackend(t, nil)
		apps := apitest.NewApps()
		handler := incident.Handler{Desk: back, Reader: back, Apps: apps, Now: time.Now, Types: api.DefaultIncidentTypes}
		server := api.New(api.Config{}, apps, nil, slog.New(slog.DiscardHandler), handler.Family())
		var v struct {
			Data struct {
				Number string `json:"incident_num"`
			}
		}
		apitest.Client{T: t, App: server.App(), Secret: apitest.Writer}.Do("POST", "/v1/external/incident/create", opening).Into(200, &v)
		return apitest.Stand{Server: server, Known: map[string]string{
			"incident_num": v.Data.Number, "ticket_type": "incident", sampleNum: v.Data.Number,
		}}
	}, "testdata", opening,
		`{"incident_num":"{incident_num}","operator":"a","operate_key":"acceptedIncident1"}`,
		`{"incident_num":"{incident_num}","operator":"a","operate_key":"commitSolution1","parameter":{"mtm_type":"inc_type_p_change_issues","is_service_interrupt":"true","cause":"c","solution":"s"}}`,
		`{"incident_num":"{incident_num}","operator":"a","operate_key":"confirm","parameter":{"virtual_confirm_result":false,"virtual_confirm_comment":"c"}}`,
		`{"string_filters":[{"operator":"=","field":"ticket_id","values":["{incident_num}"]}],"limit":10,"offset":0,"sort_filter":{"field":"x","order":"desc"}}`,
		`{"string_filters":[{"operator":"=","field":"ticket_id","values":["{incident_num}"]}],"limit":"9e9","offset":-1}`)
}
