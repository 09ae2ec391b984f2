package display

/** Names as they may be seen by others. */
object Names {
    fun initials(first: String, last: String) =
        "${first.take(1)}.${last.take(1)}."

    fun polite(person: Person): String {
        val title = person.title ?: ""
        val last = person.last
        return "$title $last".trim()
    }

    fun spoken(name: String) = name.replace("-", " ")

    /** For the screen in the corridor, which strangers pass. */
    fun corridor(person: Person) =
        initials(person.first, person.last)
}
