// Package oidc signs people in by an OpenID provider: authorization code with PKCE, state and nonce (OpenID Connect Core 1.0, section 3.1; RFC 7636; RFC 9700).
// It keeps nothing between the two halves of a sign-in but what its caller keeps for it.
package oidc

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	coreos "github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"
	"golang.org/x/sync/singleflight"

	"signalbox/people"
	"signalbox/ticket"
)

const (
	// askFor is how long the provider may take for one answer, and leaveAlone how long one that did not answer is not asked again.
	askFor     = 5 * time.Second
	leaveAlone = time.Second
	// asksAgain is how long what the provider says of itself is taken for true.
	asksAgain = time.Hour
)

// Config is how a provider is asked. All but ClientSecret, ClaimName and ClaimGroups is needed.
type Config struct {
	Issuer       string
	ClientID     string
	ClientSecret string   // none: the client is a public one
	Scopes       []string // openid among them
	Redirect     string   // where the provider sends people back to
	Now          func() time.Time

	// Claims that say who somebody is. A name with dots is a way into objects where there is no claim of that name.
	ClaimID     string // the person's id, as tickets name them
	ClaimName   string
	ClaimGroups string
}

// Provider is an OpenID provider. It is asked about itself when it is first needed, and again where it did not answer.
type Provider struct {
	config Config
	client *http.Client
	asking singleflight.Group

	mu     sync.Mutex
	known  *known
	failed error
	after  time.Time // when it may be asked again about itself
}

// known is what a provider says of itself.
type known struct {
	provider   *coreos.Provider
	verifier   *coreos.IDTokenVerifier
	endSession string
}

// New makes a provider. It connects to nothing.
func New(c Config) *Provider {
	return &Provider{config: c, client: &http.Client{Timeout: askFor}}
}

// Pending is what has to be kept of a sign-in until the provider sends the visitor back, and shown to nobody.
type Pending struct {
	State    string `json:"s"`
	Nonce    string `json:"n"`
	Verifier string `json:"v"`
}

// Identity is who has signed in, as the provider says.
type Identity struct {
	ID     string // fit to be a person's id
	Name   string // may be empty
	Groups []string
	Token  string // the ID token, for signing out
}

// Begin gives the address that the visitor is sent to. Unavailable: the provider does not answer.
func (p *Provider) Begin(ctx context.Context) (address string, keep Pending, err error) {
	k, err := p.ask(ctx)
	if err != nil {
		return "", keep, err
	}
	keep = Pending{State: rand.Text(), Nonce: rand.Text(), Verifier: oauth2.GenerateVerifier()}
	return p.oauth(k).AuthCodeURL(keep.State, coreos.Nonce(keep.Nonce), oauth2.S256ChallengeOption(keep.Verifier)), keep, nil
}

// Refusals of Finish. What exactly was wrong is their cause, for the log.
var (
	errState = ticket.Refuse(ticket.Forbidden, "This sign-in was begun elsewhere, or is over. Please begin again.")
	errToken = ticket.Refuse(ticket.Unauthorized, "The identity provider did not say who you are in a way that can be trusted.")
	errAway  = ticket.Refuse(ticket.Unavailable, "The identity provider does not answer.")
)

// Finish tells who comes back from the provider, by the query of the address that they come to. Forbidden: they did not set out with what was kept; Unauthorized: the
// provider vouches for nobody; Unavailable: it does not answer.
func (p *Provider) Finish(ctx context.Context, kept Pending, query url.Values) (Identity, error) {
	if kept.State == "" || subtle.ConstantTimeCompare([]byte(query.Get("state")), []byte(kept.State)) != 1 {
		return Identity{}, because(errState, errors.New("the state is another"))
	}
	if iss := query.Get("iss"); iss != "" && iss != p.config.Issuer { // RFC 9207
		return Identity{}, because(errState, fmt.Errorf("the answer is from %q", iss))
	}
	if said := query.Get("error"); said != "" {
		return Identity{}, because(ticket.Refuse(ticket.Unauthorized, "The identity provider did not sign you in."), fmt.Errorf("%q: %q", said, query.Get("error_description")))
	}
	k, err := p.ask(ctx)
	if err != nil {
		return Identity{}, err
	}
	ctx = coreos.ClientContext(ctx, p.client)
	tokens, err := p.oauth(k).Exchange(ctx, query.Get("code"), oauth2.VerifierOption(kept.Verifier))
	var answered *oauth2.RetrieveError
	switch {
	case errors.As(err, &answered) && answered.ErrorCode == "invalid_grant":
		return Identity{}, because(errState, err)
	case err != nil:
		return Identity{}, because(errAway, err)
	}
	raw, _ := tokens.Extra("id_token").(string)
	token, err := k.verifier.Verify(ctx, raw)
	if err != nil {
		return Identity{}, because(errToken, err)
	}
	if subtle.ConstantTimeCompare([]byte(token.Nonce), []byte(kept.Nonce)) != 1 {
		return Identity{}, because(errToken, errors.New("the nonce is another"))
	}
	if token.AccessTokenHash != "" {
		if err := token.VerifyAccessToken(tokens.AccessToken); err != nil {
			return Identity{}, because(errToken, err)
		}
	}
	var said claims
	if err := token.Claims(&said); err != nil {
		return Identity{}, because(errToken, err)
	}
	if azp, ok := said["azp"]; ok && azp != p.config.ClientID || !ok && len(token.Audience) > 1 { // Core 1.0, section 3.1.3.7
		return Identity{}, because(errToken, fmt.Errorf("the token is for %v", azp))
	}
	if !said.has(p.config.ClaimID, p.config.ClaimName, p.config.ClaimGroups) && k.provider.UserInfoEndpoint() != "" {
		err := p.askMore(ctx, k, tokens, token.Subject, said)
		if err != nil && !said.has(p.config.ClaimID) {
			return Identity{}, err
		}
	}
	return p.identity(said, raw)
}

// askMore adds what the provider says of a person beside the token.
func (p *Provider) askMore(ctx context.Context, k *known, tokens *oauth2.Token, subject string, said claims) error {
	info, err := k.provider.UserInfo(ctx, oauth2.StaticTokenSource(tokens))
	if err != nil {
		return because(errAway, err)
	}
	var more claims
	if info.Subject != subject { // section 5.3.2
		return because(errToken, errors.New("what is said besides is of somebody else"))
	}
	if err := info.Claims(&more); err != nil {
		return because(errToken, err)
	}
	for name, value := range more {
		if _, ok := said[name]; !ok {
			said[name] = value
		}
	}
	return nil
}

func (p *Provider) identity(said claims, raw string) (Identity, error) {
	id, _ := said.at(p.config.ClaimID).(string)
	if verified, ok := said["email_verified"]; p.config.ClaimID == "email" && ok && fmt.Sprint(verified) != "true" {
		return Identity{}, because(errToken, errors.New("the address is not verified"))
	}
	for _, fault := range (people.Person{ID: id}).Check() {
		if fault.Field == "id" {
			return Identity{}, because(errToken, fmt.Errorf("claim %s: %s", p.config.ClaimID, fault.Message))
		}
	}
	out := Identity{ID: id, Token: raw, Groups: texts(said.at(p.config.ClaimGroups))}
	if name, _ := said.at(p.config.ClaimName).(string); len((people.Person{ID: id, Name: name}).Check()) == 0 {
		out.Name = name
	}
	return out, nil
}

// SignOut gives the address at which the provider ends its own session and sends the visitor back (OpenID Connect RP-Initiated Logout 1.0). token may be empty. Empty: the
// provider has none, or does not answer.
func (p *Provider) SignOut(ctx context.Context, token, back string) string {
	k, err := p.ask(ctx)
	if err != nil || k.endSession == "" {
		return ""
	}
	u, err := url.Parse(k.endSession)
	if err != nil || u.Scheme != "https" && u.Scheme != "http" {
		return ""
	}
	query := u.Query()
	query.Set("client_id", p.config.ClientID)
	query.Set("post_logout_redirect_uri", back)
	if token != "" {
		query.Set("id_token_hint", token)
	}
	u.RawQuery = query.Encode()
	return u.String()
}

func (p *Provider) oauth(k *known) *oauth2.Config {
	return &oauth2.Config{ClientID: p.config.ClientID, ClientSecret: p.config.ClientSecret, Endpoint: k.provider.Endpoint(), RedirectURL: p.config.Redirect, Scopes: p.config.Scopes}
}

// ask gives what the provider says of itself. Many who need it at once ask once; nobody waits longer than they have time.
func (p *Provider) ask(ctx context.Context) (*known, error) {
	p.mu.Lock()
	have, failed, fresh := p.known, p.failed, p.config.Now().Before(p.after)
	p.mu.Unlock()
	switch {
	case fresh && have != nil:
		return have, nil
	case fresh && failed != nil:
		return nil, because(errAway, failed)
	}
	asked := p.asking.DoChan("", func() (any, error) { return p.discover() })
	select {
	case <-ctx.Done():
		return nil, because(errAway, ctx.Err())
	case result := <-asked:
		if result.Err != nil {
			return nil, because(errAway, result.Err)
		}
		return result.Val.(*known), nil
	}
}

// discover asks the provider about itself. One that does not answer this time is who it was.
func (p *Provider) discover() (*known, error) {
	ctx, cancel := context.WithTimeout(context.Background(), askFor)
	defer cancel()
	provider, err := coreos.NewProvider(coreos.ClientContext(ctx, p.client), p.config.Issuer)
	var also struct {
		EndSession string `json:"end_session_endpoint"`
	}
	if err == nil {
		err = provider.Claims(&also)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.failed = err; err != nil {
		p.after = p.config.Now().Add(leaveAlone)
		if p.known != nil {
			return p.known, nil
		}
		return nil, err
	}
	p.known = &known{provider: provider, endSession: also.EndSession, verifier: provider.Verifier(&coreos.Config{ClientID: p.config.ClientID, Now: p.config.Now})}
	p.after = p.config.Now().Add(asksAgain)
	return p.known, nil
}

// refusal is what the visitor is told, with what the log is told.
type refusal struct {
	told  *ticket.Error
	cause error
}

func because(told *ticket.Error, cause error) error { return refusal{told, cause} }

// Error gives all of it.
func (r refusal) Error() string { return r.told.Message + " " + r.cause.Error() }

// Unwrap gives both.
func (r refusal) Unwrap() []error { return []error{r.told, r.cause} }

// claims are what a provider says of somebody.
type claims map[string]any

// at gives a claim; nil: there is none.
func (c claims) at(name string) any {
	if value, ok := c[name]; ok {
		return value
	}
	first, rest, dotted := strings.Cut(name, ".")
	if inner, ok := c[first].(map[string]any); dotted && ok {
		return claims(inner).at(rest)
	}
	return nil
}

// has reports whether there are all of these claims; one without a name is not missed.
func (c claims) has(names ...string) bool {
	return !slices.ContainsFunc(names, func(name string) bool { return name != "" && c.at(name) == nil })
}

// texts gives the texts of a claim that is one or has several.
func texts(claim any) (out []string) {
	switch claim := claim.(type) {
	case string:
		return []string{claim}
	case []any:
		for _, one := range claim {
			if text, ok := one.(string); ok {
				out = append(out, text)
			}
		}
	}
	return out
}

// Check tells what is wrong with a config.
func (c Config) Check() error {
	u, err := url.Parse(c.Issuer)
	switch {
	case err != nil || u.Host == "" || u.RawQuery != "" || u.Fragment != "":
		return fmt.Errorf("the issuer %q is no URL", c.Issuer)
	case u.Scheme != "https" && !(u.Scheme == "http" && slices.Contains([]string{"localhost", "127.0.0.1", "::1"}, u.Hostname())):
		return fmt.Errorf("the issuer %q must be https", c.Issuer)
	case !slices.Contains(c.Scopes, coreos.ScopeOpenID):
		return errors.New("the scopes must have openid")
	case c.ClientID == "" || c.ClaimID == "":
		return errors.New("client id and the claim of the id are needed")
	}
	return nil
}
