import com.nimbusds.jwt.SignedJWT;
import com.nimbusds.oauth2.sdk.*;
import com.nimbusds.oauth2.sdk.as.AuthorizationServerMetadata;
import com.nimbusds.oauth2.sdk.id.*;
import com.nimbusds.oauth2.sdk.token.*;
import com.nimbusds.oauth2.sdk.tokenexchange.TokenExchangeGrant;
import com.nimbusds.oauth2.sdk.util.JSONObjectUtils;
import java.util.Map;

/** The Nimbus OAuth 2.0 SDK logs in with what another issuer signed, which is $PROOF. */
final class NimbusExchange {
    private static AuthorizationServerMetadata server;
    private static ClientID app;
    private static String nonce;

    public static void main(String[] args) throws Exception {
        Map<String, Object> proof = JSONObjectUtils.parse(System.getenv("PROOF"));
        server = AuthorizationServerMetadata.resolve(new Issuer(Fob.of("issuer")));
        app = new ClientID((String) proof.get("client_id"));
        nonce = (String) proof.get("nonce");
        AuthorizationGrant exchange = new TokenExchangeGrant(new TypelessAccessToken((String) proof.get("id_token")), TokenTypeURI.ID_TOKEN);
        AuthorizationGrant asserted = new JWTBearerGrant(SignedJWT.parse((String) proof.get("assertion")));

        for (AuthorizationGrant login : new AuthorizationGrant[] {exchange, asserted}) {
            Tokens phone = tokens(login, "read device_phone");
            Fob.same(phone.getAccessToken().getScope(), Scope.parse("read device_phone"));
            Fob.same(tokens(login, "read device_phone").getAccessToken().getValue(), phone.getAccessToken().getValue());
            Tokens tablet = tokens(login, "read device_tablet");
            Fob.check(!tablet.getAccessToken().equals(phone.getAccessToken()), "two devices, one token");

            Tokens rotated = tokens(new RefreshTokenGrant(phone.getRefreshToken()), null);
            Fob.check(!rotated.getRefreshToken().equals(phone.getRefreshToken()), "not rotated");
            Fob.same(new TokenRevocationRequest(server.getRevocationEndpointURI(), app, rotated.getRefreshToken()).toHTTPRequest().send().getStatusCode(), 200);
            Fob.same(answer(new RefreshTokenGrant(rotated.getRefreshToken()), null).toErrorResponse().getErrorObject(), OAuth2Error.INVALID_GRANT);
            tokens(new RefreshTokenGrant(tablet.getRefreshToken()), null);
            Fob.check(!tokens(login, "read device_phone").getAccessToken().equals(phone.getAccessToken()), "the token that was revoked");
        }
        Fob.same(tokens(exchange, "read device_watch").getAccessToken().getIssuedTokenType(), TokenTypeURI.ACCESS_TOKEN);
        Fob.same(tokens(exchange, "read device_watch").getAccessToken().getValue(), tokens(asserted, "read device_watch").getAccessToken().getValue());

        nonce = "of somebody else";
        Fob.same(answer(exchange, "read device_phone").toErrorResponse().getErrorObject(), OAuth2Error.INVALID_REQUEST);
    }

    private static Tokens tokens(AuthorizationGrant grant, String scope) throws Exception {
        TokenResponse answer = answer(grant, scope);
        Fob.check(answer.indicatesSuccess(), answer.indicatesSuccess() ? "" : answer.toErrorResponse().toJSONObject());
        return answer.toSuccessResponse().getTokens();
    }

    private static TokenResponse answer(AuthorizationGrant grant, String scope) throws Exception {
        TokenRequest.Builder request = new TokenRequest.Builder(server.getTokenEndpointURI(), app, grant).scope(Scope.parse(scope));
        if (grant instanceof TokenExchangeGrant) {
            request.customParameter("nonce", nonce);
        }
        return TokenResponse.parse(request.build().toHTTPRequest().send());
    }
}
