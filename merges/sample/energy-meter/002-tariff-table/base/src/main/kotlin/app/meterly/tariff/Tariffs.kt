package app.meterly.tariff

/** The tariffs on sale, by their short name. */
object Tariffs {
    private val all = listOf(
        Tariff("day", centsPerKwh = 31),
        Tariff("night", centsPerKwh = 24),
        Tariff("solar-back", centsPerKwh = 9),
    )

    fun named(name: String): Tariff =
        all.firstOrNull { it.name == name }
            ?: throw UnknownTariff(name)

    fun names(): List<String> = all.map { it.name }
}
