
// Every test here reads two programs or all sources.
[assembly: Trait(Category.Name, Category.Slow)]
