import com.nimbusds.jose.JWSAlgorithm;
import com.nimbusds.jose.jwk.ECKey;
import com.nimbusds.oauth2.sdk.*;
import com.nimbusds.oauth2.sdk.as.AuthorizationServerMetadata;
import com.nimbusds.oauth2.sdk.auth.*;
import com.nimbusds.oauth2.sdk.id.*;
import com.nimbusds.oauth2.sdk.util.JSONObjectUtils;
import java.net.URI;
import net.minidev.json.JSONObject;

/** The Nimbus OAuth 2.0 SDK authenticates with a key in the place of a secret. $PROOF has the key. */
final class NimbusAssertions {
    private static AuthorizationServerMetadata server;
    private static ClientID id;

    public static void main(String[] args) throws Exception {
        JSONObject proof = JSONObjectUtils.parse(System.getenv("PROOF"));
        server = AuthorizationServerMetadata.resolve(new Issuer(Fob.of("issuer")));
        id = new ClientID((String) proof.get("signer"));
        ECKey key = ECKey.parse(JSONObjectUtils.getJSONObject(proof, "key"));
        ECKey forged = ECKey.parse(JSONObjectUtils.getJSONObject(proof, "forged"));
        Audience fob = new Audience(server.getIssuer().getValue());

        AccessTokenResponse own = answer(key, fob).toSuccessResponse();
        Fob.same(own.getTokens().getAccessToken().getScope(), Scope.parse("read"));
        Fob.same(answer(key, fob).toSuccessResponse().getTokens().getAccessToken().getValue(), own.getTokens().getAccessToken().getValue());
        Fob.same(answer(forged, fob).toErrorResponse().getErrorObject(), OAuth2Error.INVALID_CLIENT);
        URI endpoint = server.getTokenEndpointURI();
        Fob.same(answer(key, new Audience(endpoint)).toErrorResponse().getErrorObject(), OAuth2Error.INVALID_CLIENT);
    }

    private static TokenResponse answer(ECKey key, Audience audience) throws Exception {
        ClientAuthentication client = new PrivateKeyJWT(
            new JWTAuthenticationClaimsSet(id, audience), JWSAlgorithm.ES256, key.toECPrivateKey(), key.getKeyID(), null);
        TokenRequest request = new TokenRequest.Builder(server.getTokenEndpointURI(), client, new ClientCredentialsGrant()).scope(Scope.parse("read")).build();
        return TokenResponse.parse(request.toHTTPRequest().send());
    }
}
