package itsm_test

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"strconv"
	"testing"

	"signalbox/api"
	"signalbox/api/apitest"
	"signalbox/api/itsm"
	"signalbox/flow"
)

const fuzzedService = `{"key":"fuzzed","name":"Fuzzed","service_type":"change","fields":[{"key":"title","name":"Title","type":"STRING","required":true},
	{"key":"days","name":"Days","type":"INT"}],"nodes":[
	{"id":"ok","name":"OK","type":"approval","rule":"n-of-m","n":2,"processors":{"persons":["ann","bob"]},"deliver":{"anyone":true},"next":"do"},
	{"id":"do","name":"Do","type":"task","processors":{"persons":["ann"]},"next":"over"},{"id":"over","name":"Over","type":"end"}]}`

// FuzzCalls: whatever is sent to any operation of this family, it is answered or refused. Its other two addresses do the same.
func FuzzCalls(f *testing.F) {
	apitest.Fuzz(f, func(t testing.TB) apitest.Stand {
		back := apitest.NewBackend(t, shanghai)
		handler := itsm.Handler{Desk: back, Tickets: back, Services: back, People: back, Apps: apitest.NewApps(), Types: api.DefaultIncidentTypes, Zone: shanghai}
		def, faults := flow.Parse([]byte(fuzzedService))
		if len(faults) > 0 {
			t.Fatal(faults)
		}
		def, err := back.PublishService(t.Context(), "north", "boss", def)
		if err != nil {
			t.Fatal(err)
		}
		server := api.New(api.Config{}, apitest.NewApps(), nil, slog.New(slog.DiscardHandler), handler.Families()[1])
		c := apitest.Client{T: t, App: server.App(), Secret: apitest.Boss}
		open := func(body string) string {
			var v struct{ Data json.RawMessage }
			c.Do("POST", native+"ticket/create_ticket/", body).Into(200, &v)
			var made struct{ Sn string }
			if err := json.Unmarshal(v.Data, &made); err != nil || made.Sn == "" {
				t.Fatalf("%s: %s", body, v.Data)
			}
			return made.Sn
		}
		sn := open(fmt.Sprintf(`{"creator":"opener","service_id":%d,"fields":[{"key":"title","value":"t"}]}`, def.Number))
		// A callback tells the token of its ticket.
		called := open(`{"creator":"o","fast_approval":true,"fields":[{"key":"title","value":"t"},{"key":"APPROVER","value":"ann"}],"meta":{"callback_url":"https://example.com"}}`)
		over, err := back.Ticket(t.Context(), "north", called)
		if err != nil {
			t.Fatal(err)
		}
		c.Do("POST", native+"ticket/operate_ticket/", `{"sn":"`+called+`","operator":"admin","action_type":"TERMINATE"}`).Into(200, &struct{}{})
		registered, _, err := back.Registered(t.Context(), over.ID, "", 0)
		if err != nil {
			t.Fatal(err)
		}
		var told struct{ Token string }
		if err := json.Unmarshal(back.Waiting(registered[0].ID)[0].Delivery.Body, &told); err != nil {
			t.Fatal(err)
		}
		return apitest.Stand{Server: server, Known: map[string]string{
			"sn": sn, "service_id": strconv.FormatInt(def.Number, 10), "state_id": strconv.FormatInt(def.Nodes[0].Number, 10), "token": told.Token,
			"workflow_id": strconv.FormatInt(def.Number*100_000+1, 10),
		}}
	}, "testdata",
		`{"sn":"{sn}"}`, `{"sn":["{sn}","x"]}`, `{"sn":"{sn},x"}`, `{"token":"{token}"}`, `{"service_id":"{service_id}"}`, `{"workflow_id":"{workflow_id}"}`,
		`{"sn":"{sn}","state_id":"{state_id}"}`, `{"sn":"{sn}","state_id":"{state_id}","approver":"ann","action":"true","remark":"r"}`,
		`{"sn":"{sn}","operator":"opener","action_type":"SUSPEND","action_message":"m"}`, `{"sn":"{sn}","operator":"admin","action_type":"TERMINATE"}`,
		`{"sn":"{sn}","state_id":"{state_id}","operator":"ann","action_type":"DELIVER","action_message":"m","processors":"bob,,","processors_type":"PERSON"}`,
		`{"sn":"{sn}","state_id":"{state_id}","operator":"ann","action_type":"TRANSITION","fields":[{"key":"x","value":[1e99,null]}]}`,
		`{"sn":"{sn}","stars":"6","operator":"ann","comments":"c"}`, `{"sns":["{sn}"],"page":2,"page_size":1,"create_at__gte":"2026-01-01 00:00:00","create_at__lte":"9999-12-31 23:59:59"}`,
		`{"user":"ann","view_type":"my_todo","service_id__in":"1,2","current_status__in":"RUNNING,FINISHED","bk_biz_id__in":"1"}`,
		`{"creator":"o","service_id":"{service_id}","fields":[{"key":"title","value":"t"},{"key":"days","value":"9"}],"meta":{"state_processors":{"{state_id}":"a,b"},"headers":{"A":"b"}},
			"dynamic_fields":[{"name":"n","type":"INT","value":-1}],"tag":"g","attention":"true"}`,
		`{"bk_app_code":"writer","bk_app_secret":"writer-secret","bk_username":"u","display_type":"OPEN","catalog_id":"0","service_type":"request"}`)
}
