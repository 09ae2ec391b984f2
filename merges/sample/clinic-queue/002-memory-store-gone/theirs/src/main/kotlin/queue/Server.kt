package queue

fun main(args: Array<String>) {
    val settings = Settings.read(args)
    val database = Database(settings.url)

    val store: Store = if (settings.memory) MemoryStore(LIMIT) else SqlStore(database)
    val rooms = Rooms(settings.rooms)
    val list = store.load()

    val server = HttpServer(settings.port)
    server.on("/list") { list.waiting() }
    server.on("/rooms") { rooms.free() }
    Runtime.getRuntime().addShutdownHook(Thread(store::flush))
    server.start()

    Display(list, rooms)
        .refreshEvery(settings.refresh)

    println("clinic-queue listens on port ${settings.port}")
}
