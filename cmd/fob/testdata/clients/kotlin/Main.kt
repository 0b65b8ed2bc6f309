import okhttp3.OkHttpClient

// What exchange, the function of docs/another-login.md, leaves to the app.
val tokenEndpoint = memberOf(System.getenv("FOB"), "token_endpoint")
val client = OkHttpClient()

class NotSignedIn(val code: Int, body: String) : Exception(body)

/** exchange logs in with an ID token, which is in $PROOF. */
fun main() {
    val proof = System.getenv("PROOF")
    val idToken = memberOf(proof, "id_token")
    val nonce = memberOf(proof, "nonce")
    fun login(device: String) = memberOf(exchange(idToken, nonce, device), "access_token")

    val phone = login("phone")
    check(login("phone") == phone) { "another token for the same device" }
    check(login("tablet") != phone) { "two devices, one token" }
    val again = memberOf(exchange(idToken, null, "phone"), "access_token") // this issuer asks for no nonce
    check(again == phone) { "another token without a nonce" }
    try {
        exchange(idToken, "of somebody else", "phone")
        error("a login with a wrong nonce")
    } catch (e: NotSignedIn) {
        check(e.code == 400 && memberOf(e.message!!, "error") == "invalid_request") { e }
    }
}

/** The text of a member: no library for JSON is needed for flat objects without escapes. */
fun memberOf(json: String, name: String) = Regex("\"$name\":\"([^\"]*)\"").find(json)!!.groupValues[1]
