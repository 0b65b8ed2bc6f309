import com.nimbusds.oauth2.sdk.*;
import com.nimbusds.oauth2.sdk.as.AuthorizationServerMetadata;
import com.nimbusds.oauth2.sdk.auth.*;
import com.nimbusds.oauth2.sdk.id.*;
import com.nimbusds.oauth2.sdk.token.*;

/** The Nimbus OAuth 2.0 SDK as its users configure it, everything from the metadata. */
final class Nimbus {
    private static AuthorizationServerMetadata server;

    public static void main(String[] args) throws Exception {
        server = AuthorizationServerMetadata.resolve(new Issuer(Fob.of("issuer")));
        ClientID id = new ClientID(Fob.of("client_id"));
        Secret secret = new Secret(Fob.of("client_secret"));
        for (ClientAuthentication client : new ClientAuthentication[] {new ClientSecretBasic(id, secret), new ClientSecretPost(id, secret)}) {
            Tokens ipad = login(client, "read device_ipad").toSuccessResponse().getTokens();
            Fob.same(ipad.getAccessToken().getScope(), Scope.parse("read device_ipad"));
            Fob.same(login(client, "device_ipad read").toSuccessResponse().getTokens().getAccessToken().getValue(), ipad.getAccessToken().getValue());
            Tokens iphone = login(client, "read device_iphone").toSuccessResponse().getTokens();
            Fob.check(!iphone.getAccessToken().equals(ipad.getAccessToken()), "two devices, one token");

            TokenIntrospectionSuccessResponse told = introspect(ipad.getAccessToken());
            Fob.check(told.isActive(), told.toJSONObject());
            Fob.same(told.getStringParameter("device"), "ipad");
            Fob.same(told.getIssuer(), server.getIssuer());

            AuthorizationGrant refresh = new RefreshTokenGrant(ipad.getRefreshToken());
            Fob.same(token(client, refresh, null).toSuccessResponse().getTokens().getAccessToken().getValue(), ipad.getAccessToken().getValue());
            revoke(new TokenRevocationRequest(server.getRevocationEndpointURI(), client, ipad.getAccessToken()));
            Fob.check(!introspect(ipad.getAccessToken()).isActive(), "revoked and active");
            Fob.check(introspect(iphone.getAccessToken()).isActive(), "another device's token ended");
            Fob.same(token(client, refresh, null).toErrorResponse().getErrorObject(), OAuth2Error.INVALID_GRANT);
        }

        // A public client.
        ClientID app = new ClientID(Fob.of("public_client_id"));
        Tokens pixel = TokenResponse.parse(new TokenRequest.Builder(server.getTokenEndpointURI(), app, password())
                .scope(Scope.parse("read device_pixel")).build().toHTTPRequest().send()).toSuccessResponse().getTokens();
        Tokens rotated = TokenResponse.parse(new TokenRequest.Builder(server.getTokenEndpointURI(), app, new RefreshTokenGrant(pixel.getRefreshToken()))
                .build().toHTTPRequest().send()).toSuccessResponse().getTokens();
        Fob.check(!rotated.getRefreshToken().equals(pixel.getRefreshToken()), "not rotated");
        revoke(new TokenRevocationRequest(server.getRevocationEndpointURI(), app, rotated.getRefreshToken()));
        Fob.check(!introspect(rotated.getAccessToken()).isActive(), "revoked and active");

        TokenResponse wrong = login(new ClientSecretBasic(id, new Secret("not the secret")), "read");
        Fob.same(wrong.toErrorResponse().getErrorObject(), OAuth2Error.INVALID_CLIENT);
    }

    private static AuthorizationGrant password() {
        return new ResourceOwnerPasswordCredentialsGrant(Fob.of("username"), new Secret(Fob.of("password")));
    }

    private static TokenResponse login(ClientAuthentication client, String scope) throws Exception {
        return token(client, password(), Scope.parse(scope));
    }

    private static TokenResponse token(ClientAuthentication client, AuthorizationGrant grant, Scope scope) throws Exception {
        return TokenResponse.parse(new TokenRequest.Builder(server.getTokenEndpointURI(), client, grant).scope(scope).build().toHTTPRequest().send());
    }

    private static TokenIntrospectionSuccessResponse introspect(AccessToken token) throws Exception {
        ClientAuthentication api = new ClientSecretBasic(new ClientID(Fob.of("resource_client_id")), new Secret(Fob.of("resource_client_secret")));
        return TokenIntrospectionResponse.parse(new TokenIntrospectionRequest(server.getIntrospectionEndpointURI(), api, token).toHTTPRequest().send())
                .toSuccessResponse();
    }

    private static void revoke(TokenRevocationRequest request) throws Exception {
        Fob.same(request.toHTTPRequest().send().getStatusCode(), 200);
    }
}
