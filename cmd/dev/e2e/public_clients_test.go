package e2e

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"signalbox/cmd/dev/e2e/harness"
)

// publicClient sends what clients of BlueKing ITSM that can be read by everybody send: paths behind a host that is set, the credentials as JSON in a header
// or in the body, and everything else left alone. What it reads is decoded as they decode it: ids into int, code into int.
type publicClient struct {
	t      testing.TB
	host   string // with the prefix of the ESB or the gateway
	header map[string]string
}

// common is around every answer, as their structs have it.
type common struct {
	Code      int    `json:"code"`
	Message   string `json:"message"`
	Result    bool   `json:"result"`
	RequestID string `json:"request_id"`
}

func (c publicClient) ask(method, path string, body any, data any) common {
	c.t.Helper()
	var sent io.Reader
	if body != nil {
		raw, err := json.Marshal(body)
		require.NoError(c.t, err)
		sent = bytes.NewReader(raw)
	}
	r, err := http.NewRequestWithContext(c.t.Context(), method, c.host+path, sent)
	require.NoError(c.t, err)
	r.Header.Set("Content-Type", "application/json")
	for name, value := range c.header {
		r.Header.Set(name, value)
	}
	answer, err := http.DefaultClient.Do(r)
	require.NoError(c.t, err)
	defer answer.Body.Close()
	raw, err := io.ReadAll(answer.Body)
	require.NoError(c.t, err)
	var head common
	require.NoError(c.t, json.Unmarshal(raw, &head), string(raw))
	if data != nil && head.Code == 0 {
		whole := struct {
			Data any `json:"data"`
		}{data}
		require.NoError(c.t, json.Unmarshal(raw, &whole), string(raw))
	}
	return head
}

// done is ask where anything but success ends the client.
func (c publicClient) done(method, path string, body, data any) {
	c.t.Helper()
	head := c.ask(method, path, body, data)
	require.True(c.t, head.Code == 0 && head.Result, "%s %s: %d %s", method, path, head.Code, head.Message)
}

// What they decode.
type (
	itsmCatalog struct {
		ID       uint32        `json:"id"`
		Name     string        `json:"name"`
		Key      string        `json:"key"`
		Children []itsmCatalog `json:"children"`
	}
	itsmService struct {
		ID          int    `json:"id"`
		Name        string `json:"name"`
		ServiceType string `json:"service_type"`
	}
	itsmTicket struct {
		ID  int    `json:"id"`
		SN  string `json:"sn"`
		URL string `json:"ticket_url"`
	}
	itsmField struct {
		Key          string `json:"key"`
		Type         string `json:"type"`
		Name         string `json:"name"`
		ValidateType string `json:"validate_type"`
		Meta         struct {
			Code string `json:"code"`
		} `json:"meta"`
	}
	itsmStatus struct {
		CurrentStatus string `json:"current_status"`
		CurrentSteps  []struct {
			Name       string      `json:"name"`
			ActionType string      `json:"action_type"`
			Processors string      `json:"processors"`
			StateID    int         `json:"state_id"`
			Status     string      `json:"status"`
			Fields     []itsmField `json:"fields"`
		} `json:"current_steps"`
	}
)

// registered does what the configuration centre does at its start: it looks for its catalogs and makes those that are missing, imports its service or
// updates the one that is there, and finds its approvals. It tells the service and the approvals by their names.
func registered(c publicClient, workflow map[string]any) (service int, approvals map[string]int) {
	c.t.Helper()
	var catalogs []itsmCatalog
	c.done("GET", "/itsm/get_service_catalogs/?project_key=0", nil, &catalogs)
	var root, parent, catalog uint32
	for _, one := range catalogs {
		if one.Key != "root" {
			continue
		}
		root = one.ID
		for _, middle := range one.Children {
			if middle.Name != "服务配置中心" {
				continue
			}
			parent = middle.ID
			for _, leaf := range middle.Children {
				if leaf.Name == "上线审批" {
					catalog = leaf.ID
				}
			}
		}
	}
	require.NotZero(c.t, root)
	made := func(parent uint32, name, desc string) uint32 {
		var data struct {
			ID uint32 `json:"id"`
		}
		c.done("POST", "/itsm/create_service_catalog/", map[string]any{"project_key": "0", "parent__id": parent, "name": name, "desc": desc}, &data)
		return data.ID
	}
	if parent == 0 {
		parent = made(root, "服务配置中心", "服务配置中心相关流程")
	}
	if catalog == 0 {
		catalog = made(parent, "上线审批", "服务配置上线操作")
	}
	var services []itsmService
	c.done("GET", fmt.Sprintf("/itsm/get_services/?catalog_id=%d", catalog), nil, &services)
	for _, one := range services {
		if one.Name == "创建上线审批" {
			service = one.ID
		}
	}
	body := map[string]any{"key": "request", "name": "创建上线审批", "desc": "创建上线审批", "catalog_id": catalog, "owner": "admin", "can_ticket_agency": false,
		"is_valid": true, "display_type": "OPEN", "display_role": "", "source": "custom", "project_key": "0", "workflow": workflow}
	if service == 0 {
		var data itsmService
		c.done("POST", "/itsm/import_service/", body, &data)
		service = data.ID
	} else {
		body["id"] = service
		c.done("POST", "/itsm/update_service/", body, nil)
	}
	var detail struct {
		WorkflowID int `json:"workflow_id"`
	}
	c.done("GET", fmt.Sprintf("/itsm/get_service_detail/?service_id=%d", service), nil, &detail)
	var flow struct {
		States []struct {
			ID   int    `json:"id"`
			Type string `json:"type"`
			Name string `json:"name"`
		} `json:"states"`
	}
	c.done("GET", fmt.Sprintf("/itsm/get_workflow_detail/?workflow_id=%d", detail.WorkflowID), nil, &flow)
	approvals = map[string]int{}
	for _, state := range flow.States {
		if state.Type == "APPROVAL" {
			approvals[state.Name] = state.ID
		}
	}
	return service, approvals
}

// TestPublicClientsRegisterAndApprove replays what three public clients of BlueKing ITSM send, on the whole system: bk-bscp's registration and approval
// with its callback by a webhook node, through the gateway's header; bk-bcs's ticket and its lists, with the credentials in the body; bk-hcm's approval list
// and both of its ways to approve.
func TestPublicClientsRegisterAndApprove(t *testing.T) {
	t.Parallel()
	d := sharedDev(t)
	receiver := harness.NewReceiver(t)
	receiver.Answer("/hooks/biz/2/release/17/approve", harness.Response{Body: `{"code":0,"message":"OK"}`})
	text := strings.ReplaceAll(string(sample(t, "itsm/testdata/exported_flow.json")), "https://config.example.com", receiver.URL("")+"/hooks")
	var workflow map[string]any
	require.NoError(t, json.Unmarshal([]byte(text), &workflow))

	bscp := publicClient{t, d.api + "/api/c/compapi/v2", map[string]string{
		"X-Bkapi-Authorization": `{"bk_app_code": "demo", "bk_app_secret": "demo-secret", "bk_username": "admin"}`, "X-Bk-Tenant-Id": ""}}
	service, approvals := registered(bscp, workflow)
	require.Len(t, approvals, 2)
	again, same := registered(bscp, workflow)
	require.Equal(t, service, again, "it is registered once")
	require.Equal(t, approvals, same, "and its approvals keep their ids")

	open := func(c publicClient, kind string, approver string) (created itsmTicket) {
		fields := []map[string]any{}
		for key, value := range map[string]any{"title": "上线 " + kind, "APPROVE_TYPE": kind, "BIZ_ID": "2", "RELEASE": 17, "SCOPE": "all", "MEMO": "<p>x</p>"} {
			fields = append(fields, map[string]any{"key": key, "value": value})
		}
		c.done("POST", "/itsm/create_ticket/", map[string]any{"creator": "wang", "service_id": service, "fields": fields,
			"meta": map[string]any{"state_processors": map[string]string{fmt.Sprint(approvals["会签审批"]): approver, fmt.Sprint(approvals["或签审批"]): approver}}}, &created)
		require.NotEmpty(t, created.SN)
		return created
	}
	status := func(c publicClient, sn string) (s itsmStatus) {
		c.done("GET", "/itsm/get_ticket_status/?sn="+sn, nil, &s)
		return s
	}
	ended := func(c publicClient, sn string) {
		t.Helper()
		harness.Until(t, "the end of "+sn, time.Minute, func() error {
			if s := status(c, sn); s.CurrentStatus != "FINISHED" {
				return fmt.Errorf("%+v", s)
			}
			return nil
		})
	}
	// The keys of an approval's form are found by what they are.
	vote := func(c publicClient, sn, who string, pass bool, remark string) {
		t.Helper()
		s := status(c, sn)
		require.Len(t, s.CurrentSteps, 1)
		fields := []map[string]any{}
		for _, f := range s.CurrentSteps[0].Fields {
			switch {
			case f.Meta.Code == "APPROVE_RESULT":
				fields = append(fields, map[string]any{"key": f.Key, "value": fmt.Sprint(pass)})
			case f.Type == "TEXT":
				fields = append(fields, map[string]any{"key": f.Key, "value": remark})
			}
		}
		c.done("POST", "/itsm/operate_node/", map[string]any{"sn": sn, "operator": who, "state_id": s.CurrentSteps[0].StateID, "action_type": "TRANSITION", "fields": fields}, nil)
	}

	// bk-bscp: both sign, the webhook tells the configuration centre, the ticket ends, and the approval's result can be read.
	both := open(bscp, "会签", "ann,bob")
	require.Equal(t, "ann,bob", status(bscp, both.SN).CurrentSteps[0].Processors)
	vote(bscp, both.SN, "ann", true, "fine")
	require.Equal(t, "RUNNING", status(bscp, both.SN).CurrentStatus)
	vote(bscp, both.SN, "bob", true, "fine too")
	ended(bscp, both.SN)
	var result struct {
		Name   string `json:"name"`
		User   string `json:"processed_user"`
		Result bool   `json:"approve_result"`
		Remark string `json:"approve_remark"`
	}
	bscp.done("GET", fmt.Sprintf("/itsm/get_approve_node_result/?sn=%s&state_id=%d", both.SN, approvals["会签审批"]), nil, &result)
	require.Equal(t, []any{"ann,bob", true, "fine too"}, []any{result.User, result.Result, result.Remark})
	hooks := receiver.Requests("/hooks/biz/2/release/17/approve")
	require.Len(t, hooks, 1)
	require.JSONEq(t, `{"title": "上线 会签", "sn": "", "approved": true}`, string(hooks[0].Body))
	require.Equal(t, "admin", hooks[0].Header.Get("X-Bkapi-User-Name"))

	// One rejection is enough, as the flow says, and the other webhook is called.
	rejected := open(bscp, "会签", "ann,bob")
	vote(bscp, rejected.SN, "bob", false, "not on a Friday")
	ended(bscp, rejected.SN)
	hooks = receiver.Requests("/hooks/biz/2/release/17/approve")
	require.Len(t, hooks, 2)
	require.JSONEq(t, `{"title": "上线 会签", "sn": "", "approved": false}`, string(hooks[1].Body))
	var results []struct {
		SN       string `json:"sn"`
		Status   string `json:"current_status"`
		Approved bool   `json:"approve_result"`
	}
	bscp.done("POST", "/itsm/ticket_approval_result/", map[string]any{"sn": []string{both.SN}}, &results)
	require.True(t, results[0].Approved)
	bscp.done("POST", "/itsm/ticket_approval_result/", map[string]any{"sn": []string{rejected.SN}}, &results)
	require.False(t, results[0].Approved)

	// bk-bcs: pages in the query, numbers in the body.
	bcs := publicClient{t, d.api + "/prod/v2", map[string]string{"X-Bkapi-Authorization": `{"bk_app_code":"demo","bk_app_secret":"demo-secret","bk_username":"admin"}`}}
	one := open(bcs, "或签", "ann,bob")
	var listed struct {
		TotalPage int `json:"total_page"`
		Count     int `json:"count"`
		Items     []struct {
			ID            int    `json:"id"`
			SN            string `json:"sn"`
			CatalogID     int    `json:"catalog_id"`
			ServiceID     int    `json:"service_id"`
			FlowID        int    `json:"flow_id"`
			CurrentStatus string `json:"current_status"`
			CommentID     string `json:"comment_id"`
			BkBizID       int    `json:"bk_biz_id"`
		} `json:"items"`
	}
	bcs.done("POST", "/itsm/get_tickets/?page=1&page_size=100", map[string]any{"sns": []string{one.SN, both.SN}}, &listed)
	require.Equal(t, []int{2, 1}, []int{listed.Count, listed.TotalPage})
	require.Equal(t, service, listed.Items[0].ServiceID)
	require.Greater(t, listed.Items[0].CatalogID, 99, "the catalog that was made for it")

	// bk-hcm: the list of what somebody has to approve says at which state, and that is all that its approval needs.
	hcm := publicClient{t, d.api + "/prod/v2", map[string]string{"X-Bkapi-Authorization": `{"bk_app_code":"demo","bk_app_secret":"demo-secret","bk_username":"bob"}`}}
	var mine struct {
		Count int `json:"count"`
		Items []struct {
			SN    string `json:"sn"`
			ID    int64  `json:"id"`
			Title string `json:"title"`
			Steps []struct {
				ID      int64  `json:"id"`
				StateID int64  `json:"state_id"`
				Tag     string `json:"tag"`
				Name    string `json:"name"`
				Type    string `json:"type"`
			} `json:"current_steps"`
			WaitingApprove bool `json:"waiting_approve"`
		} `json:"items"`
	}
	list := func() {
		t.Helper()
		hcm.done("GET", "/itsm/get_tickets_by_user/?user=bob&view_type=my_approval&page=1&page_size=100", nil, &mine)
	}
	list()
	found := false
	for _, item := range mine.Items {
		if item.SN != one.SN {
			continue
		}
		found = true
		require.Len(t, item.Steps, 1)
		step := item.Steps[0]
		require.Equal(t, []any{int64(approvals["或签审批"]), int64(approvals["或签审批"]), "APPROVAL", "或签审批", "DEFAULT", true},
			[]any{step.ID, step.StateID, step.Type, step.Name, step.Tag, item.WaitingApprove})
		hcm.done("POST", "/itsm/approve/", map[string]any{"sn": item.SN, "state_id": step.StateID, "approver": "bob", "action": "true", "remark": "fine"}, nil)
	}
	require.True(t, found)
	ended(hcm, one.SN)
	list()
	for _, item := range mine.Items {
		require.NotEqual(t, one.SN, item.SN)
	}
	// Its other way looks for the two fields by their names, and fills in the last that has one.
	two := open(hcm, "或签", "ann,bob")
	s := status(hcm, two.SN)
	filled := map[string]string{}
	for _, f := range s.CurrentSteps[0].Fields {
		filled[f.Name] = f.Key
	}
	hcm.done("POST", "/itsm/operate_node/", map[string]any{"sn": two.SN, "state_id": s.CurrentSteps[0].StateID, "operator": "ann", "action_type": "TRANSITION",
		"fields": []map[string]string{{"key": filled["审批意见"], "value": "true"}, {"key": filled["备注"], "value": "kept"}}}, nil)
	ended(hcm, two.SN)
	hcm.done("GET", fmt.Sprintf("/itsm/get_approve_node_result/?sn=%s&state_id=%d", two.SN, approvals["或签审批"]), nil, &result)
	require.Equal(t, []any{"ann", true, "kept"}, []any{result.User, result.Result, result.Remark})
}
