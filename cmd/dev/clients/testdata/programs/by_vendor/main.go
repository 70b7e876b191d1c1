// Command by_vendor handles an incident by the vendor's own SDK, as it is published, in a hurry: what it does twice within a second carries one signature.
package main

import (
	"encoding/json"
	"errors"
	"log"
	"os"

	"github.com/huaweicloud/huaweicloud-sdk-go-v3/core/auth/basic"
	"github.com/huaweicloud/huaweicloud-sdk-go-v3/core/sdkerr"
	coc "github.com/huaweicloud/huaweicloud-sdk-go-v3/services/coc/v1"
	"github.com/huaweicloud/huaweicloud-sdk-go-v3/services/coc/v1/model"
)

const operator = "7da46971b7e24eed90cf777cc2ff8b91"

// told fails where the vendor's SDK gives an error, or a code that is not the one of success.
func told[A any](code func(A) string) func(A, error) A {
	return func(answer A, err error) A {
		if err != nil || code(answer) != "GOM.00000000" {
			log.Fatalf("%T: %v: %+v", answer, err, answer)
		}
		return answer
	}
}

func check(ok bool, what string, about any) {
	if !ok {
		log.Fatalf("%s: %+v", what, about)
	}
}

func main() {
	credentials, err := basic.NewCredentialsBuilder().WithAk("demo").WithSk(os.Getenv("SIGNALBOX_KEY")).WithProjectId("0a1b2c3d4e5f60718293a4b5c6d7e8f9").SafeBuild()
	if err != nil {
		log.Fatal(err)
	}
	built, err := coc.CocClientBuilder().WithEndpoint(os.Getenv("SIGNALBOX")).WithCredential(credentials).SafeBuild()
	if err != nil {
		log.Fatal(err)
	}
	client := coc.NewCocClient(built)

	// What the SDK sends is read from JSON, as its users often keep it.
	var creation model.CreateCocIncidentRequest
	creation.Body = &model.CreateExternalIncidentRequest{}
	if err := json.Unmarshal([]byte(`{"region": ["cn-north-4"], "current_cloud_service": ["6b1a4b3e"], "incident_level": "level_30", "is_service_interrupt": "false",
		"incident_type": "inc_type_p_config_issues", "incident_title": "by the vendor's SDK", "incident_description": "in a hurry",
		"incident_source": "incident_source_alarm", "incident_assignee": ["`+operator+`"], "creator": "`+operator+`"}`), creation.Body); err != nil {
		log.Fatal(err)
	}
	created := told(func(a *model.CreateCocIncidentResponse) string { return a.ErrorCode })(client.CreateCocIncident(&creation))
	number := created.Data.IncidentNum

	handle := func(key, parameter string) (*model.HandleCocIncidentResponse, error) {
		request := model.HandleCocIncidentRequest{Body: &model.HandleExternalIncidentRequest{}}
		if err := json.Unmarshal([]byte(`{"incident_num": "`+number+`", "operator": "`+operator+`", "operate_key": "`+key+`", "parameter": `+parameter+`}`), request.Body); err != nil {
			log.Fatal(err)
		}
		return client.HandleCocIncident(&request)
	}
	done := told(func(a *model.HandleCocIncidentResponse) string { return a.ErrorCode })
	const solution = `{"mtm_type": "inc_type_p_config_issues", "is_service_interrupt": true, "cause": "100001", "solution": "20001"}`

	done(handle("acceptedIncident1", "{}"))
	// At once again: the same bytes and, within the same second, the same signature. It is heard, and told that it is out of turn.
	_, err = handle("acceptedIncident1", "{}")
	var refused *sdkerr.ServiceResponseError
	check(errors.As(err, &refused) && refused.StatusCode == 400 && refused.ErrorCode == "GOM.00007409", "the second acceptance is out of turn", err)
	// A rejection sends it back, and the very same solution is committed a second time, all within a moment.
	done(handle("commitSolution1", solution))
	done(handle("confirm", `{"virtual_confirm_result": false, "virtual_confirm_comment": "not yet"}`))
	done(handle("commitSolution1", solution))
	done(handle("confirm", `{"virtual_confirm_result": true, "virtual_confirm_comment": "13"}`))

	detail := told(func(a *model.ShowCocIncidentDetailResponse) string { return a.ErrorCode })(client.ShowCocIncidentDetail(&model.ShowCocIncidentDetailRequest{IncidentNum: number}))
	check(*detail.Data.Status == "INCIDENT_STATUS_COMPLETED", "it is completed", detail)

	list := told(func(a *model.ListIncidentSimpleTicketsResponse) string { return a.ErrorCode })(client.ListIncidentSimpleTickets(&model.ListIncidentSimpleTicketsRequest{Offset: new(int32(1)), Limit: new(int32(100))}))
	raw, err := json.Marshal(list.Data)
	if err != nil {
		log.Fatal(err)
	}
	var page struct {
		Total   int                              `json:"total"`
		Tickets []model.IncidentSimpleTicketInfo `json:"tickets"`
	}
	if err := json.Unmarshal(raw, &page); err != nil {
		log.Fatalf("%v: %s", err, raw)
	}
	found := false
	for _, t := range page.Tickets {
		found = found || *t.TicketId == number && *t.Title == "by the vendor's SDK" && *t.Level == "level_30" && (*t.Assignee)[0] == operator
	}
	check(found, "it is listed", string(raw))

	problem := told(func(a *model.ShowCocIssuesDetailResponse) string { return a.ErrorCode })(client.ShowCocIssuesDetail(&model.ShowCocIssuesDetailRequest{TicketId: number}))
	check(*problem.Data.TicketId == number && *problem.Data.Solution == "20001" && *problem.Data.RootCauseComment == "100001" && *problem.Data.Regions == "cn-north-4", "it is told as a problem", problem)
	_, err = client.ShowCocIssuesDetail(&model.ShowCocIssuesDetailRequest{TicketId: "IM000000000000000000000000"})
	check(errors.As(err, &refused) && refused.StatusCode == 400 && refused.ErrorCode == "COC.00067003", "one that is not there is not found as the vendor's are", err)
}
