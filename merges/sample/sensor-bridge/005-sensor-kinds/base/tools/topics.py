"""Lists the topics that a mast sends to."""

KINDS = {1: "climate", 2: "wind", 3: "rain", 4: "soil/moisture", 5: "storm"}


def topics(mast, kinds=(1, 2, 3)):
    return [f"weather/{mast}/{KINDS[kind]}" for kind in kinds]


if __name__ == "__main__":
    print("\n".join(topics("roof")))
