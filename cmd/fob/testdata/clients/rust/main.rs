//! The oauth2 crate as its users configure it, with an HTTP client that needs no other
//! crate. $FOB is the first line of `fob serve --json`.
use std::{env, error::Error, io::Read, io::Write, net::TcpStream};

use oauth2::basic::{BasicClient, BasicErrorResponseType, BasicTokenResponse};
use oauth2::http::{Request, Response};
use oauth2::*;

type Answer<T> = Result<T, Box<dyn Error>>;

/// send writes HTTP/1.1 to the host of the request. The crate wants https to revoke; on
/// a laptop there is none.
fn send(request: Request<Vec<u8>>) -> Result<Response<Vec<u8>>, std::io::Error> {
    let host = request.uri().authority().expect("a host").to_string();
    let mut head = format!("{} {} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n", request.method(), request.uri().path());
    for (name, value) in request.headers() {
        head += &format!("{name}: {}\r\n", value.to_str().expect("ASCII"));
    }
    head += &format!("Content-Length: {}\r\n\r\n", request.body().len());
    let mut stream = TcpStream::connect(&host)?;
    stream.write_all(head.as_bytes())?;
    stream.write_all(request.body())?;
    let mut text = String::new();
    stream.read_to_string(&mut text)?;
    let (head, body) = text.split_once("\r\n\r\n").expect("a header");
    let mut lines = head.lines();
    let status: u16 = lines.next().and_then(|l| l.split(' ').nth(1)).and_then(|s| s.parse().ok()).expect("a status");
    let mut response = Response::builder().status(status);
    for (name, value) in lines.filter_map(|l| l.split_once(": ")) {
        response = response.header(name, value);
    }
    Ok(response.body(body.into()).expect("a response"))
}

fn main() -> Answer<()> {
    let fob: serde_json::Value = serde_json::from_str(&env::var("FOB")?)?;
    let of = |name: &str| fob[name].as_str().expect(name).to_string();
    let https = |name: &str| RevocationUrl::new(of(name).replacen("http:", "https:", 1));
    let scopes = |text: &str| text.split(' ').map(|s| Scope::new(s.into())).collect::<Vec<_>>();
    let (user, password) = (ResourceOwnerUsername::new(of("username")), ResourceOwnerPassword::new(of("password")));

    let api = BasicClient::new(ClientId::new(of("resource_client_id")))
        .set_client_secret(ClientSecret::new(of("resource_client_secret")))
        .set_introspection_url(IntrospectionUrl::new(of("introspection_endpoint"))?);
    let is_active = |token: &AccessToken| -> Answer<bool> { Ok(api.introspect(token).request(&send)?.active()) };

    for style in [AuthType::BasicAuth, AuthType::RequestBody] {
        let backend = BasicClient::new(ClientId::new(of("client_id")))
            .set_client_secret(ClientSecret::new(of("client_secret")))
            .set_auth_type(style)
            .set_token_uri(TokenUrl::new(of("token_endpoint"))?)
            .set_revocation_url(https("revocation_endpoint")?);
        let login = |scope: &str| -> Answer<BasicTokenResponse> {
            Ok(backend.exchange_password(&user, &password).add_scopes(scopes(scope)).request(&send)?)
        };
        let ipad = login("read device_ipad")?;
        assert_eq!(ipad.scopes(), Some(&scopes("read device_ipad")));
        assert_eq!(login("device_ipad read")?.access_token().secret(), ipad.access_token().secret());
        let iphone = login("read device_iphone")?;
        assert_ne!(iphone.access_token().secret(), ipad.access_token().secret());
        let refresh_token = ipad.refresh_token().expect("a refresh token");
        let refreshed = backend.exchange_refresh_token(refresh_token).request(&send)?;
        assert_eq!(refreshed.access_token().secret(), ipad.access_token().secret()); // it is young

        assert!(is_active(ipad.access_token())?);
        backend.revoke_token(ipad.access_token().into())?.request(&send)?;
        assert!(!is_active(ipad.access_token())? && is_active(iphone.access_token())?);
        match backend.exchange_refresh_token(refresh_token).request(&send) {
            Err(RequestTokenError::ServerResponse(refused)) => assert_eq!(refused.error(), &BasicErrorResponseType::InvalidGrant),
            other => panic!("{other:?}"),
        }
    }

    // A public client.
    let app = BasicClient::new(ClientId::new(of("public_client_id")))
        .set_token_uri(TokenUrl::new(of("token_endpoint"))?)
        .set_revocation_url(https("revocation_endpoint")?);
    let pixel = app.exchange_password(&user, &password).add_scopes(scopes("read device_pixel")).request(&send)?;
    let rotated = app.exchange_refresh_token(pixel.refresh_token().expect("a refresh token")).request(&send)?;
    let successor = rotated.refresh_token().expect("a refresh token");
    assert_ne!(successor.secret(), pixel.refresh_token().expect("a refresh token").secret());
    app.revoke_token(successor.into())?.request(&send)?;
    assert!(!is_active(rotated.access_token())?);
    Ok(())
}
