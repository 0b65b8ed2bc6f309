package wire

import (
	"context"
	"errors"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/fob-oauth/fob/internal/bearer"
	"github.com/fob-oauth/fob/internal/ledger"
	"github.com/fob-oauth/fob/internal/oauth"
)

// UserResources are what [Users] and [SignOut] work on.
type UserResources struct {
	Verifier  *oauth.Verifier
	Registrar *oauth.UserRegistrar
	SignIns   *oauth.SignIns
	// Issuers are for [SignOut] alone.
	Issuers oauth.Issuers
	// NewUser reads the body that adds a user. Its error has every fault of the body, and
	// repeats nothing of it except in quotation marks.
	NewUser func(body []byte) (oauth.NewUser, error)
}

// Users is the resource with which a back end looks after users:
//
//	GET    .../users                           a page of them, or the one of a name
//	POST   .../users                           add one
//	GET    .../users/{id}
//	PATCH  .../users/{id}                      roles, disabled, password
//	DELETE .../users/{id}
//	GET    .../users/{id}/devices              where a user is signed in
//	DELETE .../users/{id}/devices/{device}     sign that device out
//	POST   .../users/{id}/devices/sign-out     sign out all, all but one, or one
//
// It takes access tokens of clients that speak for themselves and have the scope
// [oauth.UsersScope]. Like [Devices], it takes a Verifier and no gateway's word.
func Users(p UserResources, o Options) http.Handler {
	u := users{p, devices{p.SignIns}, o}
	return newHandler("users", o, func(w http.ResponseWriter, r *http.Request) (answer, error) {
		at, err := usersPath(r.URL.Path)
		if err != nil {
			return answer{}, err
		}
		serve, err := u.methodOf(at.part, r.Method)
		if err != nil {
			return answer{}, err
		}
		if err := p.backEnd(w, r, oauth.UsersScope); err != nil {
			return answer{}, err
		}
		oauth.EventOf(r.Context()).Subject = at.id
		return serve(w, r, at)
	})
}

// UsersAndSignOut is both resources of the function for back ends.
func UsersAndSignOut(p UserResources, o Options) http.Handler {
	users, signOut := Users(p, o), SignOut(p, o)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		// That of a user's devices is not the global one, whatever the id.
		if parent, last := lastSegments(r.URL.Path); last == signOutSegment && parent != devicesSegment {
			signOut.ServeHTTP(w, r)
			return
		}
		users.ServeHTTP(w, r)
	})
}

type users struct {
	UserResources
	devices devices
	options Options
}

type usersMethod func(http.ResponseWriter, *http.Request, usersPlace) (answer, error)

// methodOf is what serves a method at a place.
func (u users) methodOf(part usersPart, method string) (usersMethod, error) {
	// A device may be called sign-out.
	of := map[usersPart]map[string]usersMethod{
		allUsers:    {http.MethodGet: u.list, http.MethodHead: u.list, http.MethodPost: u.add},
		oneUser:     {http.MethodGet: u.show, http.MethodHead: u.show, http.MethodPatch: u.change, http.MethodDelete: u.remove},
		userDevices: {http.MethodGet: u.listDevices, http.MethodHead: u.listDevices},
		userDevice:  {http.MethodDelete: u.endDevice},
		userSignOut: {http.MethodPost: u.signOut, http.MethodDelete: u.endDevice},
	}[part]
	if serve := of[method]; serve != nil {
		return serve, nil
	}
	return nil, errMethodNotIn(slices.Sorted(maps.Keys(of))...)
}

// backEnd refuses whom these resources are not for.
func (p UserResources) backEnd(w http.ResponseWriter, r *http.Request, name string) error {
	caller, err := callerOf(w, r, p.Verifier, isSecretName)
	if err != nil {
		return err
	}
	if err := needs(r.Context(), caller, name); err != nil {
		return err
	}
	if caller.Subject.Kind != ledger.ClientSubject {
		// A back end could lend its rights to its users without knowing.
		return refuseResource(oauth.InsufficientScope, "the token speaks for a user and not for a client")
	}
	return nil
}

// userJSON is a user. Created is in Unix seconds.
type userJSON struct {
	ID          string   `json:"id"`
	Username    string   `json:"username"`
	Roles       []string `json:"roles"`
	Disabled    bool     `json:"disabled"`
	HasPassword bool     `json:"has_password"`
	Created     int64    `json:"created"`
}

func newUserJSON(u oauth.User) userJSON {
	return userJSON{u.ID, u.Username, append([]string{}, u.Roles...), u.Disabled, u.PasswordHash.Len() > 0, u.Created}
}

// userAnswer has the user's version as a strong entity tag (RFC 9110 §8.8.3).
func userAnswer(u oauth.User) (answer, error) {
	a, err := jsonAnswer(newUserJSON(u))
	a.header = map[string]string{"ETag": `"` + strconv.FormatUint(u.Version, 10) + `"`}
	return a, err
}

// show reads the subject's state too: a change that was done by half may have disabled
// one of the two.
func (u users) show(_ http.ResponseWriter, r *http.Request, at usersPlace) (answer, error) {
	user, err := u.Registrar.UserByID(r.Context(), at.id)
	if err != nil {
		return answer{}, ofChange(err)
	}
	state, err := u.Registrar.Subjects.State(r.Context(), oauth.SubjectOf(user.ID))
	if err != nil {
		return answer{}, err
	}
	user.Disabled = user.Disabled || state.Disabled
	oauth.EventOf(r.Context()).Outcome = oauth.Listed
	return userAnswer(user)
}

func (u users) add(w http.ResponseWriter, r *http.Request, _ usersPlace) (answer, error) {
	body, err := readJSON(w, r)
	if err != nil {
		return answer{}, err
	}
	n, err := u.NewUser(body)
	if err != nil {
		return answer{}, invalid(err)
	}
	user, err := u.Registrar.AddUser(r.Context(), n)
	event := oauth.EventOf(r.Context())
	if oauth.IsChange(err, oauth.EntryExists) {
		there, err := u.Registrar.User(r.Context(), n.Username)
		if oauth.IsChange(err, oauth.NoSuchEntry) {
			return answer{}, oauth.Unavailable("add a user", errors.New("the one of that name was removed meanwhile"))
		}
		if err != nil {
			return answer{}, err
		}
		event.Subject = there.ID
		return answer{}, &existsError{there.ID}
	}
	if err != nil {
		return answer{}, ofChange(err)
	}
	event.Outcome, event.Subject = oauth.Added, user.ID
	a, err := userAnswer(user)
	a.status = http.StatusCreated
	a.header["Location"] = strings.TrimSuffix(u.options.issuerOf(r), "/") + UsersPath + "/" + user.ID
	return a, err
}

// remove answers 204 also for a user who was removed before: a back end whose answer got
// lost asks again. The subject's state stays, and says so.
func (u users) remove(_ http.ResponseWriter, r *http.Request, at usersPlace) (answer, error) {
	if len(r.Header.Values("If-Match")) > 0 {
		// It would be compared with what was read, and not with what is removed.
		return answer{}, invalidRequest("If-Match is for PATCH alone")
	}
	user, err := u.Registrar.UserByID(r.Context(), at.id)
	if oauth.IsChange(err, oauth.NoSuchEntry) {
		return u.removeAgain(r.Context(), at.id)
	}
	if err == nil {
		err = u.Registrar.RemoveUser(r.Context(), user)
	}
	return done(r.Context(), oauth.Removed, ofChange(err))
}

// removeAgain ends what a login under way at the removal may have left.
func (u users) removeAgain(ctx context.Context, id string) (answer, error) {
	subject := oauth.SubjectOf(id)
	state, err := u.Registrar.Subjects.State(ctx, subject)
	if err != nil {
		return answer{}, err
	}
	if !state.Disabled {
		return answer{}, errNoSuchUser
	}
	_, err = u.SignIns.End(ctx, subject, oauth.Filter{})
	return done(ctx, oauth.Removed, err)
}

func (u users) listDevices(_ http.ResponseWriter, r *http.Request, at usersPlace) (answer, error) {
	return u.devices.list(r, oauth.SubjectOf(at.id), oauth.Place{})
}

func (u users) endDevice(_ http.ResponseWriter, r *http.Request, at usersPlace) (answer, error) {
	named, err := parseDevice(at.device)
	if err != nil {
		return answer{}, err
	}
	return u.devices.endDevice(r.Context(), oauth.SubjectOf(at.id), named, bearer.Locator{})
}

// signOut ends all that a user has, all but one device, or one.
func (u users) signOut(w http.ResponseWriter, r *http.Request, at usersPlace) (answer, error) {
	var which, device string
	read, err := readObject(w, r, map[string]any{"which": &which, "device": &device})
	if err != nil {
		return answer{}, err
	}
	subject := oauth.SubjectOf(at.id)
	if which == "all" {
		if read.Has("device") {
			// A client that names a device does not mean all of them.
			return answer{}, invalidRequest("device goes with which = others or device")
		}
		return u.signOutSubject(r.Context(), subject)
	}
	if which != "others" && which != "device" {
		return answer{}, invalidRequest("which must be all, others or device")
	}
	named, err := parseDevice(device)
	if err != nil {
		return answer{}, err
	}
	if which == "device" {
		return u.devices.endDevice(r.Context(), subject, named, bearer.Locator{})
	}
	return done(r.Context(), oauth.Revoked, u.SignIns.EndOtherDevices(r.Context(), subject, named.handleFor(subject)))
}

// signOutSubject ends all that a user has, who need not be in fob's tables. It leaves
// something behind, so it is not done for an id that nobody has.
func (p UserResources) signOutSubject(ctx context.Context, subject ledger.Subject) (answer, error) {
	known, err := p.Registrar.KnowsUser(ctx, subject)
	if err != nil {
		return answer{}, err
	}
	if !known {
		return answer{}, errNoSuchUser
	}
	return done(ctx, oauth.Revoked, p.SignIns.SignOut(ctx, subject))
}
